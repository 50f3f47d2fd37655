package boot

import (
	"runtime"
	"strconv"
)

// maxFrames limits the stack frames in a log line. The calls from the handler to a panic
// fit into 32 frames.
const maxFrames = 32

// stack returns the calls that led to the current panic, innermost first, each as a
// function name and a line number. Unlike debug.Stack, stack omits the arguments, because
// arguments may be secrets.
func stack() []string {
	pcs := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var list []string
	for {
		f, more := frames.Next()
		list = append(list, f.Function+":"+strconv.Itoa(f.Line))
		if f.Function == "runtime.gopanic" {
			list = nil // the frames up to here handle the panic
		}
		if !more {
			return list
		}
	}
}
