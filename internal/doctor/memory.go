package doctor

import (
	"fmt"

	"github.com/hongyan-im/hongyan/internal/config"
)

// What a server takes, in bytes: an estimate on the safe side.
const (
	memoryBase          = 160 << 20 // besides storage.cache: filters 64 MiB, passwords being hashed, the program
	memoryPerConnection = 5 << 10   // an idle one: about 1 KiB here, the rest in the kernel
)

func memory(c config.Config) []Finding {
	available, limited, known := availableMemory()
	if !known {
		return nil
	}
	return []Finding{judgeMemory(available, limited, c)}
}

// judgeMemory compares what is there with what the full number of idle connections takes. limited says that a control
// group sets the bound.
func judgeMemory(available uint64, limited bool, c config.Config) Finding {
	const check = "memory"
	need := uint64(memoryBase) + uint64(c.Storage.Cache) + uint64(c.Limits.Connections)*memoryPerConnection
	found := fmt.Sprintf("%s available, %d idle connections take about %s",
		config.Size(available).Approx(), c.Limits.Connections, config.Size(need).Approx())
	if limited {
		found += ", bounded by the control group"
	}
	switch {
	case available < memoryBase+uint64(c.Storage.Cache):
		return Finding{check, Fail, found, "The store alone takes more.", "Lower storage.cache, or give this machine more memory."}
	case available < need+need/4:
		return Finding{check, Warn, found, "The kernel ends the server when memory runs out.",
			"Lower limits.connections to what this machine can bear, or give it more memory."}
	}
	return ok(check, found)
}
