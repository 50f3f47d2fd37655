package httpapi

// RedirectKind is redirectKind.
var RedirectKind = redirectKind

// ProblemRow is problemType.
type ProblemRow = problemType
