package simulator

// line is what a line item has beside its order's fields.
type line struct {
	region     string
	operator   string
	quantity   int
	instances  int // how many ids appendInstance appends
	usageStart int64
	usageEnd   int64 // both are zero where nothing was paid or delivered
}

func (a *Account) line(o *order, f form, n int) line {
	p := &catalog[o.product]
	shared := newRandom(a.o.Seed, uint64(o.asset), purposeAsset)
	own := newRandom(a.o.Seed, uint64(o.id)+uint64(n), purposeAsset)
	l := line{region: p.regions[shared.n(len(p.regions))], quantity: a.quantity(o, n)}
	if f&formNoOperator == 0 && own.percent(70) {
		l.operator = operators[own.n(len(operators))]
	}
	if _, paid := o.paidAt(); paid && !o.pending {
		l.instances = min(l.quantity, 3)
		l.usageStart, l.usageEnd = o.period()
	}
	return l
}

// quantity is how many of its product a line is about.
func (a *Account) quantity(o *order, n int) int {
	s := newRandom(a.o.Seed, uint64(o.asset), purposeAsset+uint64(300+n))
	if s.percent(25) {
		return s.n(4) + 2
	}
	return 1
}

// commodity is the commodity code that the order was placed under.
func (o *order) commodity() string {
	if o.postpaid {
		return catalog[o.product].postpaid
	}
	return catalog[o.product].prepaid
}

func (o *order) subscription() string {
	if o.postpaid {
		return "PayAsYouGo"
	}
	return "Subscription"
}

func (o *order) subType() string {
	if o.kind == kindRefund {
		return "RefundSubOrder"
	}
	return "ProductSubOrder"
}

// appendInstance writes the k-th instance id of a line, for example i-bp1x3k….
func (a *Account) appendInstance(b []byte, o *order, n, k int) []byte {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	p := &catalog[o.product]
	s := newRandom(a.o.Seed, uint64(o.asset), purposeAsset+uint64(100+n*8+k))
	b = append(b, p.prefix...)
	for word, i := s.next(), 0; i < 17; i++ {
		if i == 12 {
			word = s.next()
		}
		b = append(b, letters[word%36])
		word /= 36
	}
	return append(b, p.suffix...)
}

// appendConfig writes the documented form Module:[Key:Val;Key:Val;]Module2:[Key:Val;]. The original configuration, not
// yet normalised, has one entry more.
func (a *Account) appendConfig(b []byte, o *order, n int, original bool) []byte {
	s := newRandom(a.o.Seed, uint64(o.asset)+uint64(o.revision), purposeAsset+uint64(200+n))
	for i := range catalog[o.product].modules {
		m := &catalog[o.product].modules[i]
		b = append(append(b, m.name...), ":["...)
		for j := range m.keys {
			k := &m.keys[j]
			b = append(append(b, k.name...), ':')
			b = append(append(b, k.values[(s.n(len(k.values))+int(o.details))%len(k.values)]...), ';')
		}
		if original && i == 0 {
			b = append(b, "hidden_param:0;"...)
		}
		b = append(b, ']')
	}
	return b
}

// configs says which of Config and OriginalConfig are filled.
func (f form) configs() (config, original bool) {
	if f&formEmptyConfig != 0 {
		return false, true
	}
	return true, f&formBothConfigs != 0
}

var buyFrom = [4]string{"console", "openapi", "渠道", "terraform"}

// appendModules writes BillModuleConfig or OriginalModuleConfig as the vendor's metadata declares them; inner keys
// start in lower case.
func appendModules(b []byte, o *order, bill bool) []byte {
	outer, inner := `{"originalModuleConfig":[`, `{"moduleProperties":[`
	if bill {
		outer, inner = `{"billModuleConfig":[`, `{"billModuleProperties":[`
	}
	b = append(b, outer...)
	for i := range catalog[o.product].modules {
		m := &catalog[o.product].modules[i]
		if i > 0 {
			b = append(b, ',')
		}
		w := object{append(b, '{')}
		if bill {
			w.text("ApiCode", m.name)
		}
		w.text("Code", m.name)
		w.text("Name", m.name)
		if bill {
			w.raw("BillModuleProperties", inner)
		} else {
			w.raw("ModuleProperties", inner)
		}
		for j := range m.keys {
			if j > 0 {
				w.b = append(w.b, ',')
			}
			k := &m.keys[j]
			property := object{append(w.b, '{')}
			if bill {
				property.text("AttrApiCode", k.name)
				property.text("ModuleApiCode", m.name)
			} else {
				property.text("Code", k.name)
				property.text("Name", k.name)
			}
			property.text("Value", k.values[0])
			w.b = append(property.b, '}')
		}
		b = append(w.b, "]}}"...)
	}
	return append(b, "]}"...)
}
