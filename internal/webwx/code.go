package webwx

import (
	"bytes"
	"fmt"
	"html"
	"image/jpeg"
	"path"
	"strings"

	"rsc.io/qr"

	"github.com/hongyan-im/hongyan"
)

var errNoCode = hongyan.Errorf(hongyan.NotFound, "this code is over, or there was none")

// qrCode shows the code of a login as a picture. It leads to codePage; who scans it with a device of the account takes its
// last part.
func (x *exchange) qrCode() error {
	uuid := path.Base(x.r.URL.Path)
	if _, ok := x.server.logins.find(uuid); !ok {
		return errNoCode
	}
	scheme := "http"
	if x.https() {
		scheme = "https"
	}
	code, err := qr.Encode(scheme+"://"+x.r.Host+"/l/"+uuid, qr.M)
	if err != nil {
		return hongyan.Errorf(hongyan.Invalid, "the host's name does not fit into a code")
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, code.Image(), &jpeg.Options{Quality: 90}); err != nil {
		return err
	}
	x.picture(b.Bytes())
	return nil
}

// codePage tells who comes to the address in a code what to do with it.
func (x *exchange) codePage() error {
	uuid := path.Base(x.r.URL.Path)
	if _, ok := x.server.logins.find(uuid); !ok {
		return errNoCode
	}
	x.w.Header().Set("Content-Security-Policy", "default-src 'none'")
	x.write(retOK, "text/html; charset=utf-8", fmt.Appendf(nil, strings.TrimSpace(`
<!doctype html><meta charset="utf-8"><title>Hongyan</title>
<p>A program wants to log in to an account of this server. To let it into yours, scan the code with a Hongyan client, or run</p>
<pre>hongyan devices admit %s</pre>
`), html.EscapeString(uuid)))
	return nil
}
