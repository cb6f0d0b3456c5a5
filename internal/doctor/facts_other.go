//go:build !linux

package doctor

// Elsewhere than on Linux these facts are not known, and the checks that need them are left out.

func descriptorLimit() (uint64, bool)                           { return 0, false }
func freeSpace(string) (bytes, files uint64, known bool)        { return 0, 0, false }
func filesystem(string) (string, bool)                          { return "", false }
func clockSynchronised() (synced, known bool)                   { return false, false }
func kernelValue(string) (uint64, bool)                         { return 0, false }
func availableMemory() (bytes uint64, limited bool, known bool) { return 0, false, false }
func portOwner(string) string                                   { return "" }
