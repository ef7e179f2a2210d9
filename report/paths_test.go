package report

import (
	"math"
	"strings"
	"testing"

	"lockstep/studies"
	"lockstep/sweep"
)

// What was measured at snapshots is drawn for each point of the card, also where a seed ended early, or a number is none.
func TestPathsSection(t *testing.T) {
	moment := func(step int, norm float64, right int) studies.Moment {
		return studies.Moment{Step: step, Norm: studies.Number(norm), Defect: studies.Number(norm), Scores: &sweep.Scores{TrainCorrect: right, TrainRows: 10, TestCorrect: right, TestRows: 10},
			Eigenvalues: []studies.Eigenvalue{{Value: studies.Number(norm), Error: 0}}}
	}
	how := sweep.Path{Pairs: 1, Eigenvalues: 1, Lanczos: 2, Rows: 5, Scores: true}
	all := []studies.CellPath{
		{Point: "whole", Measured: how, Moments: []studies.Moment{moment(0, 1, 0), moment(10, 1e4, 9)}},
		{Point: "whole", Measured: how, Moments: []studies.Moment{moment(0, math.NaN(), 1)}},
		{Point: "top, k 3", Measured: how, Moments: []studies.Moment{moment(0, math.Inf(1), 1), moment(10, 2, 1)}},
	}
	p, err := pathsOf(all)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, panel := range p.Panels {
		titles = append(titles, panel.Title)
		if svg := string(panel.SVG); !strings.Contains(svg, "<svg") || !strings.Contains(svg, panel.Title+" against the step") || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s is drawn as %.300s", panel.Title, svg)
		}
	}
	if got, want := strings.Join(titles, "|"), "training accuracy|test accuracy|eigenvalue 1|commutator|commutator / (|g_A| |g_B|)|attention entropy, nats"; got != want {
		t.Errorf("panels are %s; want %s", got, want)
	}
	if len(p.Key) != 2 || p.Key[1].Label != "top, k 3" {
		t.Errorf("the key is %+v", p.Key)
	}
	if strings.Contains(p.Caption, "step-matched") {
		t.Error("walks are told of without components")
	}
	of := all[0]
	of.Measured.Components, of.Measured.Trials = 2, 1
	if p, err := pathsOf([]studies.CellPath{of}); err != nil || !strings.Contains(p.Caption, "A step-matched random walk") || !strings.Contains(p.Caption, "60.8 %") {
		t.Errorf("which walks the findings name is told as %q, error %v", p.Caption, err)
	}
	if p, err := pathsOf(all[:1]); err != nil || len(p.Key) != 0 {
		t.Errorf("one point needs no key: %v, error %v", p.Key, err)
	}
}
