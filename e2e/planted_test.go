//go:build long

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// planted are changes of single lines of the program that torture has to notice, each by at least one of the counts of its
// report. They are made in copies of the files while the program is built: nothing of them is in the tree.
var planted = []struct {
	name, file, from, to string
}{
	{
		"forget an eighth of the client ids", "internal/inbox/dedupe.go",
		"		if tx.e.dedupe.unseen(h, key) {\n",
		"		if id[0]%8 == 0 || tx.e.dedupe.unseen(h, key) {\n",
	},
	{
		"push a key that stands for more than its changes", "internal/inbox/engine.go",
		"			h.Changes = t.changes\n",
		"			h.Changes = t.changes[:len(t.changes)-1]\n",
	},
	{
		"store the key without all changes", "client/apply.go",
		"		return a.message(c.Message)\n",
		"		if c.Message.Ordinal%16 == 7 {\n			return false, nil\n		}\n		return a.message(c.Message)\n",
	},
}

// seedsOfPlanted bounds the runs until a planted mistake has to be noticed.
const seedsOfPlanted = 6

// TestTorturePlanted builds the program with one mistake after the other and expects that torture notices each.
func TestTorturePlanted(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			wrong := buildPlanted(t, p.file, p.from, p.to)
			for seed := 1; seed <= seedsOfPlanted; seed++ {
				r, status := runTorture(t, wrong, "--duration", "20s", "--clients", "2", "--rate", "150", "--seed", strconv.Itoa(seed))
				if r.OK() {
					continue
				}
				if status != 1 {
					t.Errorf("exit status %d", status)
				}
				t.Logf("seed %d: lost %d, doubled %d, reordered %d, stuck %d, other %d, among them %s: %s", seed, r.Lost, r.Doubled,
					r.Reordered, r.Stuck, r.Other, r.Violations[0].Rule, r.Violations[0].Detail)
				return
			}
			t.Errorf("nothing was noticed in %d runs", seedsOfPlanted)
		})
	}
}

// buildPlanted builds the program with a file that was changed in one place.
func buildPlanted(t *testing.T, file, from, to string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), from); n != 1 {
		t.Fatalf("%s has %d times %q", file, n, from)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		changed: strings.Replace(string(text), from, to, 1), filepath.Join(dir, "overlay.json"): string(overlay),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "hongyan")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out,
		"github.com/hongyan-im/hongyan/cmd/hongyan")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}
