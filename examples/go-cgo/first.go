// libmpr from Go with cgo and nothing else: one request, recorded.
//
//	mpr-local &                # the local recorder; export the three lines that it prints
//	go run first.go            # libmpr where pkg-config finds it: PKG_CONFIG_PATH=PREFIX/lib/pkgconfig
//
// With PREFIX outside the system's folders set LD_LIBRARY_PATH=PREFIX/lib as well.
package main

/*
#cgo pkg-config: libmpr
#include <mpr.h>
#include <stdlib.h>
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"
)

// call makes a call of libmpr and turns its status into an error with what mpr_last_error() says. That text belongs to the
// system's thread, so the goroutine stays on one. A positive status is no error: there was nothing to record.
func call(function func() C.mpr_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if function() < 0 {
		return errors.New(C.GoString(C.mpr_last_error()))
	}
	return nil
}

// withCString makes C text of Go's for the time of a call.
func withCString(text string, use func(*C.char)) {
	c := C.CString(text)
	defer C.free(unsafe.Pointer(c))
	use(c)
}

// Span is one piece of work.
type Span struct {
	handle  *C.mpr_span
	context C.mpr_span_context // to be the parent of other spans
}

// Begin begins a span below parent, which may be nil.
func Begin(name string, kind C.int32_t, parent *Span) *Span {
	span := &Span{}
	var above *C.mpr_span_context
	if parent != nil {
		above = &parent.context
	}
	withCString(name, func(name *C.char) { span.handle = C.mpr_span_begin(name, kind, above) })
	C.mpr_span_get_context(span.handle, &span.context)
	return span
}

// End ends the span: defer it. An error is put on the span first.
func (s *Span) End(err *error) {
	if err != nil && *err != nil {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", *err), "*")
		withCString(kind, func(kind *C.char) {
			withCString((*err).Error(), func(message *C.char) {
				withCString(string(debug.Stack()), func(stack *C.char) {
					C.mpr_span_record_exception(s.handle, kind, message, stack)
				})
			})
		})
	}
	C.mpr_span_end(s.handle)
}

// Capture puts headers and body of a request or response onto the span; what is secret in them is masked before it leaves
// the process.
func (s *Span) Capture(kind C.int32_t, headers map[string]string, body []byte) {
	var lines []byte
	for name, value := range headers {
		lines = append(lines, name+": "+value+"\r\n"...)
	}
	C.mpr_span_capture_payload(s.handle, kind, (*C.char)(pointer(lines)), C.size_t(len(lines)), (*C.uint8_t)(pointer(body)),
		C.size_t(len(body)))
}

// pointer is where the bytes are; libmpr copies what it keeps.
func pointer(bytes []byte) unsafe.Pointer {
	if len(bytes) == 0 {
		return nil
	}
	return unsafe.Pointer(&bytes[0])
}

// Log records a line in the span's trace.
func (s *Span) Log(severity C.int32_t, text string, attributes map[string]any) {
	data, _ := json.Marshal(attributes)
	withCString(text, func(body *C.char) {
		withCString(string(data), func(attributes *C.char) {
			C.mpr_log(severity, body, C.size_t(len(text)), attributes, &s.context)
		})
	})
}

// Session records while work runs.
func Session(about map[string]any, work func() error) (err error) {
	if err := call(func() C.mpr_status { return C.mpr_init(nil) }); err != nil { // all options come from the environment
		return err
	}
	defer func() { // delivers what is queued
		if stopped := call(func() C.mpr_status { return C.mpr_shutdown(5000) }); err == nil {
			err = stopped
		}
	}()
	data, err := json.Marshal(about)
	if err != nil {
		return err
	}
	withCString(string(data), func(about *C.char) {
		err = call(func() C.mpr_status { return C.mpr_start(C.MPR_SESSION_MANUAL, about) })
	})
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	return call(func() C.mpr_status { return C.mpr_stop(nil) })
}

// URL is where the session that runs can be seen.
func URL() (string, error) {
	buffer := make([]byte, 4096)
	err := call(func() C.mpr_status {
		return C.mpr_session_info((*C.char)(pointer(buffer)), C.size_t(len(buffer)), nil)
	})
	if err != nil {
		return "", err
	}
	var info struct{ URL string }
	err = json.Unmarshal([]byte(C.GoString((*C.char)(pointer(buffer)))), &info)
	return info.URL, err
}

// ---- the service ----

// NoReplica is what the query ends with.
type NoReplica struct{ User string }

func (e *NoReplica) Error() string { return "no replica for " + e.User }

func queryReplica(parent *Span, user string) (err error) {
	span := Begin("SELECT users", C.MPR_SPAN_KIND_CLIENT, parent)
	defer span.End(&err)
	return &NoReplica{user}
}

func login(headers map[string]string, request []byte) (answer []byte, err error) {
	span := Begin("POST /login", C.MPR_SPAN_KIND_SERVER, nil)
	defer span.End(&err)
	span.Capture(C.MPR_PAYLOAD_HTTP_REQUEST, headers, request)
	var form struct{ User string }
	if err := json.Unmarshal(request, &form); err != nil {
		return nil, err
	}
	if err := queryReplica(span, form.User); err != nil {
		span.Log(C.MPR_SEVERITY_WARN, err.Error()+"; password=correct-horse", map[string]any{"user": form.User})
	}
	answer = []byte(`{"user": "` + form.User + `", "token": "e1c5a8f03b77"}`)
	span.Capture(C.MPR_PAYLOAD_HTTP_RESPONSE,
		map[string]string{"Content-Type": "application/json", "Set-Cookie": "sid=5e551d2f"}, answer)
	return answer, nil
}

func main() {
	log.SetFlags(0)
	err := Session(map[string]any{"name": "go-cgo"}, func() error {
		headers := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer 7f3a9c0d11e2"}
		if _, err := login(headers, []byte(`{"user": "ann", "password": "correct-horse"}`)); err != nil {
			return err
		}
		url, err := URL()
		fmt.Println("recorded into", url)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
