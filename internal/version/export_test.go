package version

var Parse = parse
