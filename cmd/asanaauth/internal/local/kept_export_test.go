package local

// CountKept lets the tests call countKept.
var CountKept = countKept
