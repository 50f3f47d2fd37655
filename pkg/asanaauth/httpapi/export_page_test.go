package httpapi

var RedirectKind = redirectKind

type ProblemRow = problemType
