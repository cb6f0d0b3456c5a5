package inbox

import "github.com/hongyan-im/hongyan"

// RunHere is a Run that does it at once.
func RunHere(_ hongyan.UserID, job func()) error {
	job()
	return nil
}
