// Package keys has the keys that a login signs with: from credentials of every kind that the vendor's library knows, renewed
// while they are used, and never shown (I10).
package keys

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aliyun/credentials-go/credentials"
)

// Types of Credentials, as credentials-go names them.
const (
	AccessKey      = "access_key"
	STS            = "sts"
	RAMRoleARN     = "ram_role_arn"
	ECSRAMRole     = "ecs_ram_role"
	OIDCRoleARN    = "oidc_role_arn"
	CredentialsURI = "credentials_uri"
	// Default is the vendor's default chain: environment, OIDC environment, profiles, the instance's role, URI.
	Default = "default"
)

// Credentials say where a login's keys come from. The zero value is the default chain. They are never printed.
type Credentials struct {
	Type string // empty: what the other fields say

	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string

	RoleARN               string
	RoleSessionName       string
	RoleSessionExpiration time.Duration // an hour by default, at least 15 minutes
	Policy                string
	ExternalID            string
	STSEndpoint           string

	RoleName        string // of the instance; found out when empty
	OIDCProviderARN string
	OIDCTokenFile   string
	URI             string
}

const redacted = "[credentials]"

// Format keeps secrets out of every print, whatever the verb (I10).
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String keeps secrets out of texts (I10).
func (c Credentials) String() string { return redacted }

// GoString keeps secrets out of debug prints (I10).
func (c Credentials) GoString() string { return redacted }

// LogValue keeps secrets out of logs (I10).
func (c Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps secrets out of JSON and YAML (I10).
func (c Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// kind is the type, or what the fields that are set mean.
func (c Credentials) kind() string {
	switch {
	case c.Type != "":
		return c.Type
	case c.URI != "":
		return CredentialsURI
	case c.OIDCProviderARN != "" || c.OIDCTokenFile != "":
		return OIDCRoleARN
	case c.RoleARN != "":
		return RAMRoleARN
	case c.SecurityToken != "":
		return STS
	case c.AccessKeyID != "" || c.AccessKeySecret != "":
		return AccessKey
	case c.RoleName != "":
		return ECSRAMRole
	}
	return Default
}

// vendorConfig is the configuration for credentials-go; nil means the default chain. What is missing is an error here,
// because credentials-go would take it from the environment instead, which may well be another login's.
func (c Credentials) vendorConfig() (*credentials.Config, error) {
	kind := c.kind()
	v := &credentials.Config{Type: &kind}
	var missing []string
	need := func(name, value string) *string {
		if value == "" {
			missing = append(missing, name)
		}
		return &value
	}
	may := func(value string) *string {
		if value == "" {
			return nil
		}
		return &value
	}
	if c.RoleSessionExpiration != 0 {
		if c.RoleSessionExpiration < 15*time.Minute {
			return nil, errors.New("role_session_expiration: at least 15m")
		}
		s := int(c.RoleSessionExpiration / time.Second)
		v.RoleSessionExpiration = &s
	}
	v.RoleSessionName, v.Policy, v.STSEndpoint = may(c.RoleSessionName), may(c.Policy), may(c.STSEndpoint)
	switch kind {
	case Default:
		return nil, nil
	case AccessKey, STS, RAMRoleARN:
		v.AccessKeyId = need("access_key_id", c.AccessKeyID)
		v.AccessKeySecret = need("access_key_secret", c.AccessKeySecret)
		v.SecurityToken = may(c.SecurityToken)
		switch kind {
		case STS:
			v.SecurityToken = need("security_token", c.SecurityToken)
		case RAMRoleARN:
			v.RoleArn, v.ExternalId = need("role_arn", c.RoleARN), may(c.ExternalID)
		}
	case ECSRAMRole:
		v.RoleName = may(c.RoleName)
	case OIDCRoleARN:
		v.RoleArn = need("role_arn", c.RoleARN)
		v.OIDCProviderArn = need("oidc_provider_arn", c.OIDCProviderARN)
		v.OIDCTokenFilePath = need("oidc_token_file", c.OIDCTokenFile)
	case CredentialsURI:
		v.Url = need("uri", c.URI)
	default:
		return nil, fmt.Errorf("type: %q is none of %s", kind,
			strings.Join([]string{AccessKey, STS, RAMRoleARN, ECSRAMRole, OIDCRoleARN, CredentialsURI, Default}, ", "))
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("type %s needs %s", kind, strings.Join(missing, ", "))
	}
	return v, nil
}
