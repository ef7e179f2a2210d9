package sweep
import ("testing";"os";"time";"context";"lockstep/cpu";"strconv")
func TestZZProfile(t *testing.T){
 card,err:=LoadCard(os.Getenv("ZZCARD")); if err!=nil{t.Fatal(err)}
 for _,s:=range []string{os.Getenv("ZZSET")} { if s!="" { if err:=card.Set(s);err!=nil{t.Fatal(err)} } }
 cells,err:=card.Cells(); if err!=nil{t.Fatal(err)}
 e,_:=cpu.New(cpu.Options{Threads:1})
 tr,err:=NewTraining(context.Background(),cells[:1],e); if err!=nil{t.Fatal(err)}
 n,_:=strconv.Atoi(os.Getenv("ZZN"))
 tr.Run(context.Background(),20)
 s:=time.Now(); tr.Run(context.Background(),n); d:=time.Since(s)
 t.Logf("%.2f ms a step, %.1f steps/s", d.Seconds()*1e3/float64(n), float64(n)/d.Seconds())
}
