// Package notify tells people of diagnoses without a Prometheus: it posts each one that changes to a webhook, as JSON for
// programs or as a message of the robots of DingTalk, Feishu, WeCom and Slack.
//
// The address of a robot holds its key, so it is as secret as that: no error and no log line has it (I10).
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
)

// Message is a diagnosis that has changed. It is what a webhook without a robot's format is sent, as JSON.
type Message struct {
	Account string `json:"account"`
	// Streams are how many of the account's streams stand so, of all of them; both are 1 where it has no owners.
	Streams int             `json:"streams"`
	Of      int             `json:"of"`
	Was     diagnosis.State `json:"was"` // the state before; empty where it is told first
	diagnosis.Diagnosis
	At   time.Time `json:"at"`
	Text string    `json:"text"` // all of it, for a person
}

// NewMessage returns a message with its text.
func NewMessage(account string, streams, of int, was diagnosis.State, d diagnosis.Diagnosis, at time.Time) Message {
	m := Message{Account: account, Streams: streams, Of: of, Was: was, Diagnosis: d, At: at.UTC()}
	who := account
	if of > 1 {
		who = fmt.Sprintf("%s (%d of %d)", account, streams, of)
	}
	lines := []string{fmt.Sprintf("ordersync: %s is %s", who, d.Headline(at))}
	if !d.State.Bad() && was != "" {
		lines[0] += ", after " + string(was)
	}
	lines = append(lines, d.Problems()...)
	m.Text = strings.Join(lines, "\n")
	return m
}

// Bounds of one message: it must not hold up the next one for long, nor be lost to a hiccup.
const (
	tryTimeout = 10 * time.Second
	tries      = 4
	tryWithin  = time.Minute
	// longest is what robots take: WeCom has the lowest bound, 2048 bytes of a text
	// (https://developer.work.weixin.qq.com/document/path/91770).
	longest = 2000
)

// Notifier posts to one address.
type Notifier struct {
	target config.Notify
	client *http.Client
	wait   time.Duration // before the second try; it doubles
}

// New returns a notifier. Redirects are not followed: the body of a message is for nobody else.
func New(target config.Notify) *Notifier {
	return &Notifier{target: target, wait: time.Second, client: &http.Client{
		Timeout:       tryTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends idle connections.
func (n *Notifier) Close() { n.client.CloseIdleConnections() }

// Post sends a message, and again for a minute at most while that may help. Its error says what was answered.
func (n *Notifier) Post(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(n.wait), backoff.WithMaxElapsedTime(tryWithin))
	err := backoff.Retry(func() error { return n.try(ctx, m) }, backoff.WithContext(backoff.WithMaxRetries(wait, tries-1), ctx))
	if err != nil {
		return fmt.Errorf("notify: the message was not taken: %w (check notify.url, notify.format and notify.secret)", err)
	}
	return nil
}

// try sends a message once, signed anew: a signature is good for some minutes.
func (n *Notifier) try(ctx context.Context, m Message) error {
	to, body, err := n.request(m, time.Now())
	if err != nil {
		return backoff.Permanent(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("notify.url is not an address"))
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "ordersync")
	resp, err := n.client.Do(r)
	if err != nil {
		var where *url.Error // it has the address, and with it the key
		if errors.As(err, &where) {
			err = where.Err
		}
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	said := strings.Join(strings.Fields(string(answer)), " ")
	if len(said) > 300 {
		said = said[:300]
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return fmt.Errorf("HTTP %d: %s", resp.StatusCode, said)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return backoff.Permanent(fmt.Errorf("HTTP %d: %s", resp.StatusCode, said))
	case refused(answer):
		return backoff.Permanent(errors.New(said))
	}
	return nil
}

// refused reports whether a robot says no in the body of an answer with status 200: DingTalk and WeCom by errcode, Feishu by code.
func refused(answer []byte) bool {
	var v struct {
		ErrCode int `json:"errcode"`
		Code    int `json:"code"`
	}
	return json.Unmarshal(answer, &v) == nil && (v.ErrCode != 0 || v.Code != 0)
}

// request is where a message goes and what is sent, at a time.
func (n *Notifier) request(m Message, now time.Time) (to string, body []byte, err error) {
	to = n.target.URL.Reveal()
	secret := n.target.Secret.Reveal()
	text := m.Text
	if n.target.Format != config.NotifyJSON && len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	var v any
	switch n.target.Format {
	case config.NotifyDingTalk:
		v = map[string]any{"msgtype": "text", "text": map[string]string{"content": text}}
		if secret != "" {
			to, err = signDingTalk(to, secret, now)
		}
	case config.NotifyFeishu:
		message := map[string]any{"msg_type": "text", "content": map[string]string{"text": text}}
		if secret != "" {
			message["timestamp"], message["sign"] = signFeishu(secret, now)
		}
		v = message
	case config.NotifyWeCom:
		v = map[string]any{"msgtype": "text", "text": map[string]string{"content": text}}
	case config.NotifySlack:
		v = map[string]string{"text": text}
	default:
		v = m
	}
	if err != nil {
		return "", nil, err
	}
	body, err = json.Marshal(v)
	return to, body, err
}

// signDingTalk adds to an address what a DingTalk robot with a secret asks for: timestamp, in milliseconds, and sign, the base64 of
// the HMAC-SHA256 of "timestamp\nsecret" under the secret.
// Source: https://open.dingtalk.com/document/robots/customize-robot-security-settings
func signDingTalk(address, secret string, now time.Time) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("notify.url is not an address") // url's own error has the address
	}
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	q := u.Query()
	q.Set("timestamp", stamp)
	q.Set("sign", mac(secret, stamp+"\n"+secret))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// signFeishu returns what a Feishu robot with a secret asks for in the body: the time in seconds, and the base64 of the HMAC-SHA256 of
// nothing under the key "timestamp\nsecret".
// Source: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
func signFeishu(secret string, now time.Time) (stamp, sign string) {
	stamp = strconv.FormatInt(now.Unix(), 10)
	return stamp, mac(stamp+"\n"+secret, "")
}

func mac(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text)) // a hash takes everything
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
