package bench
import ("testing";"context";"os";"time";"lockstep/cpu";"lockstep/graph";"fmt";"runtime/pprof")
func TestScratch(t *testing.T){
 e,_:=cpu.New(cpu.Options{Threads:1})
 if v:=os.Getenv("V");v!=""{ e,_=cpu.New(cpu.Options{Threads:1,Variants:[]string{v,"avx2","go"}})}
 cs,_:=Select(Cases(),[]string{os.Getenv("CASE")},false)
 for _,c:=range cs{
 f,_:=os.Create("/tmp/rows.prof"); pprof.StartCPUProfile(f)
 r,err:=Measure(context.Background(),c,&Options{Engine:e,Time:3*time.Second,Memory:1<<33},graph.Peak{})
 pprof.StopCPUProfile();f.Close()
 fmt.Println(r.Case,r.NS,r.Rate,r.Unit,err)
 }
}
func TestScratchKernels(t *testing.T){
 e,_:=cpu.New(cpu.Options{Threads:1})
 cs,_:=Select(Cases(),[]string{"train/.*cells=1$"},false)
 w,err:=cs[0].openTraining(context.Background(),&Options{Engine:e,Time:time.Second,Memory:1<<33},graph.Peak{})
 fmt.Println(err)
 for _,k:=range w.kernels{fmt.Println(k.Variant,k.Once,k.Op)}
}
