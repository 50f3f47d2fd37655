package boot

import (
	"runtime"
	"strconv"
)

// maxFrames is enough for the frames from a panic to the handler, and keeps the log line
// short.
const maxFrames = 32

// stack returns the functions and line numbers that led to the current panic. Unlike
// debug.Stack, it does not print arguments.
func stack() []string {
	pcs := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var list []string
	for {
		f, more := frames.Next()
		list = append(list, f.Function+":"+strconv.Itoa(f.Line))
		if f.Function == "runtime.gopanic" {
			list = nil // the frames so far handle the panic
		}
		if !more {
			return list
		}
	}
}
