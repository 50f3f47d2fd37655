package local

var CountKept = countKept
