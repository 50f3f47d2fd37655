package boot

import (
	"runtime"
	"strconv"
)

// maxFrames limits the length of a log line. It is enough for the frames from a panic to the
// handler.
const maxFrames = 32

// stack returns the functions that led to the current panic, innermost first, each with its
// line number. Unlike debug.Stack, it leaves out arguments, which may contain secrets.
func stack() []string {
	pcs := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var list []string
	for {
		f, more := frames.Next()
		list = append(list, f.Function+":"+strconv.Itoa(f.Line))
		if f.Function == "runtime.gopanic" {
			list = nil // the frames so far belong to the recovery from the panic
		}
		if !more {
			return list
		}
	}
}
