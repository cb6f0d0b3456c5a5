// Package auth holds what login is made of: password hashes, bearer tokens, signed access tickets, human-typable
// codes, the throttle on guesses, and the rules for names. It stores nothing and starts nothing: the caller keeps the
// records, and time and randomness are arguments.
//
// A login with a password runs through the package in this order:
//
//	name, err := auth.ParseName(input)                      // spelling folded, so that penalties cannot be dodged
//	pw, err := auth.NewPassword(input)                      // bounded, valid UTF-8, normalised
//	wait, ok := throttle.Allow(now, name, addr, known)      // before anything depends on the account
//	err = hasher.Verify(ctx, record.PasswordHash, pw)       // the zero hash for an unknown account costs the same
//	throttle.Success(now, name, addr)                       // or Cancel, if Verify gave no verdict
//	token, err := auth.NewDeviceToken(rand, account, device)// store token.Hash(), hand out token.Reveal()
//	access, err := keys.Sign(auth.Ticket{...})              // short-lived, checked without the store
//
// Every secret has a type that prints, logs and marshals as "[redacted]"; Reveal, where a type has it, is the one way
// to the clear text. docs/decisions/passwords.md gives the reasons behind the numbers.
package auth

import "fmt"

// RuleError says that text chosen by a person breaks a rule. Its message is meant for that person, names the
// problem and the remedy, and never repeats a secret.
type RuleError struct {
	What    string // "name", "display name", "password" or "code"
	Problem string // "has 1 character"
	Remedy  string // "use 2 to 32"
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.What, e.Problem, e.Remedy)
}
