package config

import (
	"reflect"
	"time"

	"github.com/ordersync/ordersync/sync/source/keys"
)

// CredentialsType names a kind of credentials. Except for CredentialsDefault the
// values are those of the vendor's credentials library.
type CredentialsType string

// The kinds of credentials. The library knows two more, which are left out on
// purpose: rsa_key_pair is deprecated, and a bearer token cannot sign a request.
const (
	CredentialsDefault   CredentialsType = keys.Default // the vendor's default chain: pass no config to the library
	CredentialsAccessKey CredentialsType = keys.AccessKey
	CredentialsSTS       CredentialsType = keys.STS
	CredentialsRAMRole   CredentialsType = keys.RAMRoleARN
	CredentialsECSRole   CredentialsType = keys.ECSRAMRole
	CredentialsOIDCRole  CredentialsType = keys.OIDCRoleARN
	CredentialsURI       CredentialsType = keys.CredentialsURI
)

// Credentials says how an account proves who it is. The zero value is the
// vendor's default chain.
type Credentials struct {
	// Type is what the file says, usually nothing: Kind tells the kind.
	Type            CredentialsType `yaml:"type"`
	AccessKeyID     string          `yaml:"access_key_id"`
	AccessKeySecret Secret          `yaml:"access_key_secret"`
	SecurityToken   Secret          `yaml:"security_token"`
	RoleARN         string          `yaml:"role_arn"`
	RoleSessionName string          `yaml:"role_session_name"`
	// ExternalID is what the role's owner asks for besides the key; some treat it
	// as a secret, so it is one.
	ExternalID Secret `yaml:"external_id"`
	Policy     string `yaml:"policy"`
	// RoleSessionExpiration is how long a session of the role lasts, an hour if it
	// is zero. STSEndpoint is the host that hands out sessions, always by https.
	RoleSessionExpiration time.Duration `yaml:"role_session_expiration"`
	STSEndpoint           string        `yaml:"sts_endpoint"`
	OIDCProviderARN       string        `yaml:"oidc_provider_arn"`
	OIDCTokenFile         string        `yaml:"oidc_token_file"`
	ECSRoleName           string        `yaml:"ecs_role_name"`
	// CredentialsURI is a secret because who can call it has the credentials.
	CredentialsURI Secret `yaml:"credentials_uri"`
}

// credentialsKeys says which keys a kind needs and which it may have besides.
// Every other key is a contradiction: the library would ignore it, and the user
// would believe that it is in force. Keys that the library would take from the
// environment when they are missing are needed here, because an account must not
// silently use another account's login.
var credentialsKeys = map[CredentialsType]struct{ needs, may []string }{
	CredentialsDefault:   {},
	CredentialsAccessKey: {needs: []string{"access_key_id", "access_key_secret"}},
	CredentialsSTS:       {needs: []string{"access_key_id", "access_key_secret", "security_token"}},
	CredentialsRAMRole: {
		needs: []string{"access_key_id", "access_key_secret", "role_arn"},
		may:   []string{"security_token", "role_session_name", "external_id", "policy", "role_session_expiration", "sts_endpoint"},
	},
	CredentialsECSRole: {may: []string{"ecs_role_name"}},
	CredentialsOIDCRole: {
		needs: []string{"role_arn", "oidc_provider_arn", "oidc_token_file"},
		may:   []string{"role_session_name", "policy", "role_session_expiration", "sts_endpoint"},
	},
	CredentialsURI: {needs: []string{"credentials_uri"}},
}

// values returns every value by its key, in the order of the struct. The values
// may be compared with the empty text and handed to rules, never printed.
func (c *Credentials) values() (list []keyValue) {
	for f, v := range reflect.ValueOf(c).Elem().Fields() {
		value := v.String()
		if d, ok := v.Interface().(time.Duration); ok {
			if value = d.String(); d == 0 {
				value = ""
			}
		}
		if key := f.Tag.Get("yaml"); key != "type" {
			list = append(list, keyValue{key, value})
		}
	}
	return list
}

type keyValue struct{ key, value string }

// Kind returns the kind of the credentials: Type if it is given, else the kind
// that the given keys belong to. A key that only one kind has decides; whether
// the rest fits is for the check to say.
func (c *Credentials) Kind() CredentialsType {
	switch {
	case c.Type != "":
		return c.Type
	case c.OIDCProviderARN != "" || c.OIDCTokenFile != "":
		return CredentialsOIDCRole
	case c.CredentialsURI != "":
		return CredentialsURI
	case c.ECSRoleName != "":
		return CredentialsECSRole
	case c.RoleARN != "" || c.RoleSessionName != "" || c.ExternalID != "" || c.Policy != "" || c.RoleSessionExpiration != 0 || c.STSEndpoint != "":
		return CredentialsRAMRole
	case c.SecurityToken != "":
		return CredentialsSTS
	case c.AccessKeyID != "" || c.AccessKeySecret != "":
		return CredentialsAccessKey
	default:
		return CredentialsDefault
	}
}
