package report

import (
	"slices"
	"strings"
)

// familiesOf groups points into panels. An arm that has all axes of another but the one that colours it, such as the
// baseline of subspaces, is drawn over the other's panels.
func familiesOf(points []*point) (all []*family) {
	var arms []string
	byArm := map[string][]*point{}
	for _, p := range points {
		if byArm[p.arm] == nil {
			arms = append(arms, p.arm)
		}
		byArm[p.arm] = append(byArm[p.arm], p)
	}
	over, drawn := overlays(arms, byArm)
	var flat *family
	for _, arm := range arms {
		ps := byArm[arm]
		colour := mainAxis(ps, true)
		switch {
		case drawn[arm]:
		case colour == nil && over[arm] == "":
			if flat == nil {
				flat = &family{Panels: []*panel{{}}}
				all = append(all, flat)
			}
			for _, p := range ps {
				flat.Panels[0].curves = append(flat.Panels[0].curves, &curve{point: p, shade: len(flat.values)})
				flat.values = append(flat.values, arm)
			}
		default:
			f := familyOf(arm, ps, colour, over[arm], byArm)
			if i := slices.IndexFunc(all, f.like); i >= 0 {
				all[i].arms, all[i].Panels = append(all[i].arms, arm), append(all[i].Panels, f.Panels...)
			} else {
				all = append(all, f)
			}
		}
	}
	for _, f := range all {
		f.name(len(arms) == 1)
	}
	return all
}

// like tells that one key does for the panels of both.
func (f *family) like(g *family) bool {
	return f.of != nil && g.of != nil && f.of.name == g.of.name && slices.Equal(f.values, g.values) && f.over == g.over
}

// name gives the family and its panels their titles; only tells that the card has one arm.
func (f *family) name(only bool) {
	for _, p := range f.Panels {
		if len(f.arms) > 1 {
			p.Title = strings.TrimSuffix(p.arm+", "+p.Title, ", ")
		}
	}
	switch {
	case f.of == nil && len(f.values) > 1:
		f.Title = "By arm"
		return
	case only && f.of != nil:
		f.Title = "By " + f.of.name
		return
	case len(f.arms) == 1:
		f.Title = "Arm " + f.arms[0]
	case len(f.arms) > 1:
		f.Title = "Arms " + strings.Join(f.arms, ", ")
	}
	if f.of != nil {
		f.Title += ", by " + f.of.name
	}
}

// overlays finds which arm is drawn over which: over[arm] over arm, and drawn tells that an arm is so drawn. Every point of
// it must have its panel.
func overlays(arms []string, byArm map[string][]*point) (over map[string]string, drawn map[string]bool) {
	over, drawn = map[string]string{}, map[string]bool{}
	for _, b := range arms {
		for _, a := range arms {
			x := mainAxis(byArm[a], true)
			if a == b || drawn[a] || over[a] != "" || over[b] != "" || x == nil {
				continue
			}
			panels := map[string]bool{}
			for _, p := range byArm[a] {
				panels[keyOf("", p.axes, x.name)] = true
			}
			if !slices.ContainsFunc(byArm[b], func(p *point) bool { return !panels[keyOf("", p.axes, "")] }) {
				over[a], drawn[b] = b, true
			}
		}
	}
	return over, drawn
}

// familyOf makes the panels of an arm: one for each combination of the axes that do not colour it.
func familyOf(arm string, points []*point, colour *axis, over string, byArm map[string][]*point) *family {
	f := &family{arms: []string{arm}, of: colour, over: over}
	but := ""
	if colour != nil {
		but, f.values = colour.name, colour.sorted()
	} else {
		f.values = []string{arm}
	}
	name, index := namesFor(points, but), map[string]*panel{}
	for _, p := range points {
		k := keyOf("", p.axes, but)
		if index[k] == nil {
			index[k] = &panel{Title: name.of(p), arm: arm}
			f.Panels = append(f.Panels, index[k])
			for _, q := range byArm[over] {
				if keyOf("", q.axes, "") == k {
					index[k].curves = append(index[k].curves, &curve{point: q, shade: -1})
				}
			}
		}
		place := 0
		if colour != nil {
			v, _ := p.value(but)
			place = slices.Index(f.values, v)
		}
		index[k].curves = append(index[k].curves, &curve{point: p, shade: place})
	}
	return f
}
