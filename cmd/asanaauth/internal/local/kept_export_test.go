package local

// CountKept counts what the page shows of the rows.
var CountKept = countKept
