package web_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"testing"

	"github.com/chromedp/chromedp"
)

// eyes are how colours reach people: as they are, and without the cones for red or for green. The matrices are for linear RGB,
// from Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), table 1
// at severity 1.
var eyes = map[string][9]float64{
	"trichromat":  {1, 0, 0, 0, 1, 0, 0, 0, 1},
	"protanope":   {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deuteranope": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
}

// luminance is that of WCAG 2, as an eye sees it.
func luminance(r, g, b uint32, eye [9]float64) float64 {
	linear := func(v uint32) float64 {
		x := float64(v) / 0xffff
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	x, y, z := linear(r), linear(g), linear(b)
	part := func(i int) float64 { return max(0, min(1, eye[i]*x+eye[i+1]*y+eye[i+2]*z)) }
	return 0.2126*part(0) + 0.7152*part(3) + 0.0722*part(6)
}

// differ is the share of the points of two pictures of one size that differ by a contrast of 3:1, which WCAG asks of graphics.
func differ(a, b image.Image, eye [9]float64) float64 {
	n, all := 0, 0
	for y := range min(a.Bounds().Dy(), b.Bounds().Dy()) {
		for x := range min(a.Bounds().Dx(), b.Bounds().Dx()) {
			at := func(p image.Image) float64 {
				r, g, b, _ := p.At(p.Bounds().Min.X+x, p.Bounds().Min.Y+y).RGBA()
				return luminance(r, g, b, eye) + 0.05
			}
			p, q := at(a), at(b)
			if max(p, q)/min(p, q) >= 3 {
				n++
			}
			all++
		}
	}
	return float64(n) / float64(all)
}

// Any two states look different, light and dark, to whoever cannot tell red from green: much of what is drawn differs by a
// contrast of 3:1. A state that is told by its colour alone would differ by none.
func TestStatesAreToldApart(t *testing.T) {
	t.Parallel()
	const enough = 0.12 // of the points: the dots around an hour that was never synced are so many
	ctx := tab(t)
	s := newSite(t)
	for _, scheme := range []string{"light", "dark"} {
		colours(t, ctx, scheme)
		do(t, ctx, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(s.URL()))
		states := eval[[]string](t, ctx, `[...document.querySelectorAll('.legend i')].filter(e => !e.classList.contains('marked')).map(e => e.className)`)
		if len(states) != 8 {
			t.Fatalf("the legend has %q", states)
		}
		// The weakest and the strongest green are the same state, and both must differ from all others.
		states = append(states, "complete n0", "complete n3")
		pictures := map[string]image.Image{}
		for i, state := range states {
			eval[bool](t, ctx, fmt.Sprintf(`(() => { const m = document.querySelector('.legend') ; let e = document.getElementById('probe');
				if (!e) { e = document.createElement('div'); e.id = 'probe'; e.className = 'map'; e.style = '--n: 1; width: 60px; background: var(--card)';
					m.parentNode.insertBefore(e, m); }
				e.innerHTML = '<span></span><input type="radio" class=%q style="border-radius: 0">'; return %d >= 0 })()`, state, i))
			shot, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS("#probe input")))
			if err != nil {
				t.Fatal(err)
			}
			if pictures[state], err = png.Decode(bytes.NewReader(shot)); err != nil {
				t.Fatal(err)
			}
		}
		for i, a := range states {
			for _, b := range states[i+1:] {
				if len(a) > 8 && len(b) > 8 && a[:8] == "complete" && b[:8] == "complete" {
					continue
				}
				for eye, matrix := range eyes {
					if share := differ(pictures[a], pictures[b], matrix); share < enough {
						t.Errorf("%s, %s: of %q and %q %.0f %% differ", scheme, eye, a, b, 100*share)
					}
				}
			}
		}
	}
}
