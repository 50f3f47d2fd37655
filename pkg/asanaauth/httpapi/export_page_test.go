package httpapi

// RedirectKind is redirectKind.
var RedirectKind = redirectKind
