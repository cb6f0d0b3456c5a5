package sim

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write down what happens in the scripts of testdata")

// TestScripts plays the stories of testdata: each must go as it is written down there, meet its own expectations and
// break no promise.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played, broken, err := Play(string(script))
			if err != nil {
				t.Fatalf("%s\n%v", played, err)
			}
			for _, v := range broken {
				t.Error(v)
			}
			switch {
			case t.Failed() || played == string(script):
			case !*update:
				t.Errorf("it went otherwise than %s says; if that is right, run go test ./internal/sim -run Scripts -update\n%s", file, played)
			default:
				if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestPlay plays lines that must not pass, behind some that do.
func TestPlay(t *testing.T) {
	t.Parallel()
	const before = "devices anna1 bert1\n    0.000  a trace of another time\nanna1 sends \"hello\" to bert\nwait 1s\n"
	for _, line := range []string{
		`anna1 sings`, `anna2 sends "hello" to bert`, `anna1 sends "hello" to carl`, `anna1 sends "hello`, `anna1 recalls "other"`,
		`anna1 removes bert from crew`, `wait long`, `devices anna`, `expect bert1 has nothing`, `expect bert1 has "hello" "hello"`,
		`expect anna1 waits with "hello"`, `expect anna1 sent "other"`, `expect 2 unread by bert1 in anna`,
	} {
		if played, _, err := Play(before + line); err == nil || !strings.Contains(err.Error(), "line 5: "+line) {
			t.Errorf("%s: %v\n%s", line, err, played)
		}
	}
	played, broken, err := Play(before + `expect 1 unread by bert1 in anna`)
	if err != nil || len(broken) > 0 || strings.Contains(played, "another time") || !strings.Contains(played, `bert1    has "hello", anna&bert/1`) {
		t.Errorf("%v, %v\n%s", err, broken, played)
	}
}
