package local

// CountKept counts stored rows by kind.
var CountKept = countKept
