package doctor

import (
	"fmt"

	"github.com/hongyan-im/hongyan/internal/config"
)

// spareDescriptors is what the server keeps for its store and itself; what is left is for connections.
const spareDescriptors = 1024

func descriptors(c config.Config) []Finding {
	limit, known := descriptorLimit()
	if !known {
		return nil
	}
	return []Finding{judgeDescriptors(limit, c.Limits.Connections)}
}

func judgeDescriptors(limit uint64, connections int) Finding {
	const check = "file descriptors"
	need := uint64(connections) + spareDescriptors
	found := fmt.Sprintf("%d may be open, limits.connections = %d needs %d", limit, connections, need)
	if limit >= need {
		return ok(check, found)
	}
	f := Finding{
		Check: check, Status: Warn, Found: found,
		Means: "Every connection takes a descriptor: the server lets in no more connections than the limit leaves room for.",
		Do: fmt.Sprintf("Set LimitNOFILE=%d in the systemd unit (elsewhere: ulimit -n %d before the start), "+
			"or lower limits.connections.", need, need),
	}
	if limit <= spareDescriptors {
		f.Status = Fail
		f.Means = "The store alone needs that many; the server will fail under the first load."
	}
	return f
}
