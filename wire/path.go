package wire

// Path is where the short link has an operation, below its prefix: the name in lower case, the words joined by hyphens, as
// MarkRead is mark-read and DemandTLS demand-tls.
func Path(name string) string {
	var path []byte
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			if i > 0 && !('A' <= name[i-1] && name[i-1] <= 'Z') {
				path = append(path, '-')
			}
			c += 'a' - 'A'
		}
		path = append(path, c)
	}
	return string(path)
}
