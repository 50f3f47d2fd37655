package boot

import (
	"runtime"
	"strconv"
)

// maxFrames reaches from a panic up to the handler, and keeps the line readable.
const maxFrames = 32

// stack names the functions and lines that led to the panic being handled. It is
// not debug.Stack, which prints arguments as well.
func stack() []string {
	pcs := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var list []string
	for {
		f, more := frames.Next()
		list = append(list, f.Function+":"+strconv.Itoa(f.Line))
		if f.Function == "runtime.gopanic" {
			list = nil // until here it was the handling
		}
		if !more {
			return list
		}
	}
}
