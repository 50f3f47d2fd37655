package version

var From = of
