package nearest

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"lr", "lr", 0}, {"LR", "lr", 0}, {"lrr", "lr", 1}, {"linaer", "linear", 1},
		{"kitten", "sitting", 3}, {"ca", "abc", 3}, {"momentun", "momentum", 1}, {"größe", "grösse", 2},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d; want %d", c.a, c.b, got, c.want)
		}
		if ab, ba := Distance(c.a, c.b), Distance(c.b, c.a); ab != ba {
			t.Errorf("Distance(%q, %q) = %d one way and %d the other", c.a, c.b, ab, ba)
		}
	}
}

func TestUnknown(t *testing.T) {
	names := []string{"sgd", "momentum", "adam", "adamw"}
	for wrong, want := range map[string]string{"admw": "adamw", "SDG": "sgd", "nesterov-momentum": "momentum", "adamx": "adam"} {
		if got := Name(wrong, names); got != want {
			t.Errorf("nearest to %q is %q; want %q", wrong, got, want)
		}
	}
	for wrong, want := range map[string]string{
		"admw": "adamw", "SDG": "sgd", "x": "", "": "", "sg": "sgd", "dgs": "", "nesterov-momentum": "", "momnetun": "momentum", "momnetumms": "momentum",
		"omnetumms": "", "mom": "momentum", "MOME": "momentum", "mo": "", "ada": "adam", "mommmmm": "",
	} {
		if got := Near(wrong, names); got != want {
			t.Errorf("near to %q is %q; want %q", wrong, got, want)
		}
	}
	for wrong, want := range map[string]string{"b": "", "d1": "d", "größ": "größe", "gröss": "", "alp": "alphabet"} { // no letter is left; one edit; letters and not bytes; the shortest
		if got := Near(wrong, []string{"d", "größe", "alphabetical", "alphabet"}); got != want {
			t.Errorf("near to %q is %q; want %q", wrong, got, want)
		}
	}
	if got, want := Unknown("rule type", "lamb", names).Error(), `unknown rule type "lamb"; want one of sgd, momentum, adam, adamw`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := Unknown("rule type", "admw", names).Error(), `unknown rule type "admw"; nearest is "adamw" (one of sgd, momentum, adam, adamw)`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := Unknown("key", "x", []string{"type"}).Error(), `unknown key "x"; want type`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := Unknown("key", "x", nil).Error(), `unknown key "x"; none is allowed here`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
