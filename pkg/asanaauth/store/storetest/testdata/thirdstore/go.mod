module example.com/thirdstore

go 1.26.0

require github.com/asanaauth/asanaauth v0.0.0

require github.com/google/go-cmp v0.7.0 // indirect

replace github.com/asanaauth/asanaauth => ../../../../../..
