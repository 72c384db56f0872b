package testservice

import (
	"crypto/tls"
	"time"
)

// CreateOption changes the configuration of a server.
type CreateOption func(*config)

// TLSOpt is an option of TLS, which no server gets.
type TLSOpt func()

// config is what a server's configuration says beside its ports.
type config struct {
	jetStream, accounts, authorization, systemAccount, topLevel string
	// missing is what it asks for that cannot be had.
	missing string
}

func without(what string) CreateOption {
	return func(c *config) { c.missing = what }
}

// WithJetStream puts text in the block of JetStream.
func WithJetStream(text string) CreateOption {
	return func(c *config) { c.jetStream = text }
}

// WithAccounts gives the block of accounts.
func WithAccounts(text string) CreateOption {
	return func(c *config) { c.accounts = text }
}

// WithAuthorization gives the lines on who may connect.
func WithAuthorization(text string) CreateOption {
	return func(c *config) { c.authorization = text }
}

// WithSystemAccount gives the line on the system account.
func WithSystemAccount(text string) CreateOption {
	return func(c *config) { c.systemAccount = text }
}

// WithTopLevel gives any other lines.
func WithTopLevel(text string) CreateOption {
	return func(c *config) { c.topLevel = text }
}

// WithLeafNode skips the test.
func WithLeafNode(string) CreateOption {
	return without("leaf nodes")
}

// WithWebSocket skips the test.
func WithWebSocket(...string) CreateOption {
	return without("websockets")
}

// WithGeneratedTLS skips the test.
func WithGeneratedTLS(...TLSOpt) CreateOption {
	return without("TLS")
}

// WithTLSTimeout skips the test.
func WithTLSTimeout(time.Duration) CreateOption {
	return without("TLS")
}

// TLSHandshakeFirst has no effect.
func TLSHandshakeFirst() TLSOpt { return func() {} }

// TLSMutual has no effect.
func TLSMutual() TLSOpt { return func() {} }

// TLSServerOnly has no effect.
func TLSServerOnly() TLSOpt { return func() {} }

// TLSSANs has no effect.
func TLSSANs(...string) TLSOpt { return func() {} }

// TLSTimeout has no effect.
func TLSTimeout(time.Duration) TLSOpt { return func() {} }

// TLSConfig gives none.
func TLSConfig(*Instance) *tls.Config { return nil }
