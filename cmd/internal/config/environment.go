package config

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Prefix begins the names of the variables of the environment that are settings. The rest is the setting's path in
// capitals: clickhouse.reader.username is ORDERSYNC_CLICKHOUSE_READER_USERNAME, and accounts[0].name is
// ORDERSYNC_ACCOUNTS_0_NAME. The elements of a list have commas between them. With _FILE behind the name the value is
// the content of the file that the variable names. A variable wins over the file of the configuration, and its value is
// taken as it is: a secret may contain ${ and $$.
const Prefix = "ORDERSYNC_"

// fileSuffix ends the name of a variable that names a file.
const fileSuffix = "_FILE"

// notSettings are variables of the program that are read elsewhere: EnvFile, embedded.LibraryVariable, and two of the command
// line's library, of which the shells' completion sets one.
var notSettings = []string{EnvFile, "ORDERSYNC_CHDB", "ORDERSYNC_ACTIVE_HELP", "ORDERSYNC_COMPLETION_DESCRIPTIONS"}

// serviceLinks matches what Kubernetes sets in every pod for a Service that is called ordersync, or begins so.
var serviceLinks = regexp.MustCompile(`^ORDERSYNC(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// mentions matches what the text of a file says of variables.
var mentions = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)`)

// variable is one setting of the environment.
type variable struct{ name, value string }

// settings returns the variables that are settings, in the order of their names, so that accounts and problems come in theirs.
func settings(environ []string) []variable {
	var list []variable
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, Prefix) && !slices.Contains(notSettings, name) && !serviceLinks.MatchString(name) {
			list = append(list, variable{name, value})
		}
	}
	slices.SortFunc(list, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return list
}

// settable are the paths of all settings by the names of their variables, with # for the number of an element.
var settable = func() map[string]string {
	paths := map[string]string{}
	eachSetting(reflect.TypeFor[Config](), "", func(path string, leaf bool) {
		if leaf {
			paths[variableOf(path)] = path
		}
	})
	return paths
}()

// eachSetting calls visit for everything below a type that has a key. An element of a list of mappings is [#].
func eachSetting(t reflect.Type, path string, visit func(path string, leaf bool)) {
	for f := range t.Fields() {
		key := f.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		at, below := join(path, key), f.Type
		inList := below.Kind() == reflect.Slice && below.Elem().Kind() == reflect.Struct
		visit(at, !inList && below.Kind() != reflect.Struct)
		if inList {
			at, below = at+"[#]", below.Elem()
		}
		if below.Kind() == reflect.Struct {
			eachSetting(below, at, visit)
		}
	}
}

var (
	lastIndex     = regexp.MustCompile(`\[\d+\]$`)
	variableIndex = regexp.MustCompile(`_(0|[1-9]\d{0,3})_`)
)

// variableOf returns the name of the variable that sets a path. An element of a list of values is set by the list's own.
func variableOf(path string) string {
	path = lastIndex.ReplaceAllString(path, "")
	return Prefix + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(path))
}

// isSetting reports whether a path is that of a setting, or of an element of a list that is one.
func isSetting(path string) bool {
	_, ok := settable[variableIndex.ReplaceAllString(variableOf(path), "_#_")]
	return ok
}

// environment decodes the variables over what the file said. text is that of the file: what it mentions is no setting.
func (d *decoder) environment(list []variable, text []byte, cfg *Config) {
	mentioned := map[string]bool{}
	for _, m := range mentions.FindAllSubmatch(text, -1) {
		mentioned[string(m[1])] = true
	}
	list = slices.DeleteFunc(slices.Clone(list), func(v variable) bool { return mentioned[v.name] })
	d.grow(list, cfg)
	for _, v := range list {
		d.setVariable(v, cfg)
	}
}

// grow appends to the lists of mappings the elements that variables begin behind those of the file.
func (d *decoder) grow(list []variable, cfg *Config) {
	for name, path := range settable {
		beginning, _, inList := strings.Cut(name, "#")
		if !inList {
			continue
		}
		path, _, _ = strings.Cut(path, "[#]")
		elements := at(reflect.ValueOf(cfg).Elem(), path)
		begins := func(n int) bool {
			return slices.ContainsFunc(list, func(v variable) bool { return strings.HasPrefix(v.name, fmt.Sprintf("%s%d_", beginning, n)) })
		}
		for n := elements.Len(); begins(n); n++ {
			elements.Set(reflect.Append(elements, blank(elements.Type().Elem())))
			d.fields[fmt.Sprintf("%s[%d]", path, n)] = field{inEnvironment: true}
		}
	}
}

// setVariable sets a setting to the value of its variable.
func (d *decoder) setVariable(v variable, cfg *Config) {
	pattern, index := v.name, ""
	if m := variableIndex.FindStringSubmatchIndex(v.name); m != nil {
		index = v.name[m[2]:m[3]]
		pattern = v.name[:m[2]] + "#" + v.name[m[3]:]
	}
	path, known := settable[pattern]
	fromFile := false
	if !known {
		var of string
		if of, fromFile = strings.CutSuffix(pattern, fileSuffix); fromFile {
			path, known = settable[of]
		}
	}
	if !known {
		d.unknownVariable(v.name, pattern, index)
		return
	}
	list, _, inList := strings.Cut(path, "[#]")
	path = strings.Replace(path, "#", index, 1)
	if n, _ := strconv.Atoi(index); inList && n >= at(reflect.ValueOf(cfg).Elem(), list).Len() {
		d.problems = append(d.problems, Problem{Variable: v.name, Message: fmt.Sprintf("there is no %s[%d] before it (number them from 0, without a gap)", list, n-1)})
		return
	}
	if d.offline && credential.MatchString(path) {
		return
	}
	if f := d.fields[path]; f.inEnvironment {
		d.problems = append(d.problems, Problem{Variable: v.name, Field: path, Message: "is set as " + strings.TrimSuffix(v.name, fileSuffix) + ", too (unset one of the two)"})
		return
	}
	d.variables = append(d.variables, v.name)
	d.fields[path] = field{inEnvironment: true, raw: "${" + v.name + "}"}
	if fromFile {
		var problem string
		if v.value, problem = valueOfFile(v.value); problem != "" {
			d.fail(path, "%s", problem)
			return
		}
	}
	target := at(reflect.ValueOf(cfg).Elem(), path)
	if target.Kind() != reflect.Slice {
		d.set(target, path, v.value)
		return
	}
	var elements []string
	if v.value != "" {
		elements = strings.Split(v.value, ",")
	}
	target.Set(reflect.MakeSlice(target.Type(), len(elements), len(elements)))
	for i, element := range elements {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.fields[at] = d.fields[path]
		d.set(target.Index(i), at, strings.TrimSpace(element))
	}
}

// unknownVariable reports a variable that sets nothing, with the one that may be meant.
func (d *decoder) unknownVariable(name, pattern, index string) {
	var names []string
	for known := range settable {
		names = append(names, strings.TrimPrefix(known, Prefix))
	}
	slices.Sort(names)
	pattern = strings.TrimPrefix(pattern, Prefix)
	meant := didYouMean(pattern, names)
	if of, isFile := strings.CutSuffix(pattern, fileSuffix); isFile && meant == "" {
		if meant = didYouMean(of, names); meant != "" {
			meant += fileSuffix
		}
	}
	p := Problem{Variable: name, Message: "sets nothing (a setting's variable is its path in capitals, such as ORDERSYNC_CLICKHOUSE_ADDR or ORDERSYNC_ACCOUNTS_0_NAME; unset it)"}
	if meant != "" {
		p.Message = fmt.Sprintf("sets nothing (did you mean %s?)", Prefix+strings.Replace(meant, "#", cmp.Or(index, "0"), 1))
	}
	d.problems = append(d.problems, p)
}

// valueOfFile reads what a variable with _FILE stands for. One line break at the end belongs to the file, not to the value.
func valueOfFile(path string) (value, problem string) {
	const remedy = "(name a file that holds the value)"
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Sprintf("its file cannot be read: %v %s", err, remedy)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil || len(content) > maxSize {
		return "", "its file cannot be read, or is no value " + remedy
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), ""
}

// at returns the value at a path, whose elements of lists exist.
func at(v reflect.Value, path string) reflect.Value {
	for key := range strings.SplitSeq(path, ".") {
		key, index, inList := strings.Cut(strings.TrimSuffix(key, "]"), "[")
		v = fieldByKey(v, key)
		if inList {
			n, _ := strconv.Atoi(index)
			v = v.Index(n)
		}
	}
	return v
}
