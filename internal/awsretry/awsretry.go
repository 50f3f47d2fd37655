// Package awsretry decides how requests to AWS are repeated, for the Lambda functions and
// for programs that use the library. The adapters of DynamoDB and KMS use the same list of
// error codes, so that a rejected signature is treated alike everywhere.
package awsretry

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// A call sends at most three requests, with a pause of at most 200 ms between two of
// them. Three requests fit into the time limit of a caller. Repeating a write is safe: if
// an earlier request has succeeded, the store recognizes the row that it wrote.
const (
	attempts   = 3
	maxBackoff = 200 * time.Millisecond
)

// signatureCodes are the error codes with which AWS rejects a request because of its
// signature, the time in the signature, or the credentials. The codes are documented at
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html and
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
var signatureCodes = map[string]struct{}{
	// The time in the signature is wrong, or the request took too long.
	"RequestExpired":       {},
	"RequestTimeTooSkewed": {},
	// AWS uses these codes if the time is wrong, and if the signature is wrong.
	"AuthFailure":                  {},
	"IncompleteSignature":          {},
	"IncompleteSignatureException": {},
	"InvalidSignatureException":    {},
	"SignatureDoesNotMatch":        {},
	// The credentials are so new that AWS does not know them yet, or they have expired.
	"ExpiredToken":                        {},
	"ExpiredTokenException":               {},
	"InvalidClientTokenId":                {},
	"MissingAuthenticationToken":          {},
	"MissingAuthenticationTokenException": {},
	"UnrecognizedClientException":         {},
}

// RejectsSignature reports whether an error code of AWS means that the signature of the
// request, the time in it, or the credentials were rejected. Such an error is temporary:
// when Lambda resumes a sandbox, the sandbox's clock can be wrong for a moment, and AWS
// may not know new credentials yet. The same request with a new signature can succeed.
func RejectsSignature(code string) bool {
	_, ok := signatureCodes[code]
	return ok
}

// New returns a retryer for one SDK client. It repeats requests after the errors that the
// SDK repeats by default, and after those that [RejectsSignature] names. The SDK signs
// each request anew. If the Date header of an error response shows that the local clock is
// wrong, the SDK corrects the time in the next signature.
func New() *retry.Standard {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: signatureCodes})
	})
}
