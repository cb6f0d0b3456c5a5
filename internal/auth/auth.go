// Package auth holds what login is made of: password hashes, bearer tokens, signed access tickets, human-typable
// codes, the throttle on guesses, and the rules for names. It stores nothing and starts nothing: the caller keeps the
// records, and time and randomness are arguments.
//
// A login with a password runs through the package in this order:
//
//	name, err := auth.ParseName(input)                       // one spelling, or penalties could be dodged
//	pw, err := auth.NewPassword(input)                       // bounded, valid UTF-8, normalised
//	wait, ok := throttle.Allow(now, name, addr, known)       // counts the attempt as failed from here on
//	err = hasher.Verify(ctx, hash, pw)                       // the zero hash for an account that does not exist
//	throttle.Success(now, name, addr)                        // or Cancel, if Verify gave no verdict
//	token, err := auth.NewDeviceToken(rand, account, device) // store token.Hash(), hand out token.Reveal()
//	access, err := keys.Sign(ticket)                         // short-lived, checked without the store
//
// Every secret has a type that prints, logs and marshals as "[redacted]"; Reveal, where a type has it, is the one way
// to the clear text. Secrets come from the functions of this package: except for PasswordHash, their zero values hold
// nothing and cannot be used. docs/decisions/passwords.md gives the reasons behind the numbers.
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
