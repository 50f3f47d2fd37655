package boot

// Answers are the answers that lambdahttp gets from Run.
var Answers = answers
