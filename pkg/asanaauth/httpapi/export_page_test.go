package httpapi

// RedirectKind exports redirectKind for tests.
var RedirectKind = redirectKind

// ProblemRow exports problemType for tests.
type ProblemRow = problemType
