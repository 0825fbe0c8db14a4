// Package lab builds a whole fabric on one machine and drives it: a leaf, an outside host, chassis with Open vSwitch,
// OVN and FRR, and the cloud's databases, each node a set of namespaces.
//
// It has two halves. native*, node*, topology* and cloud* build and observe the fabric in namespaces of the kernel they
// run on (start at NativeUp, then Fabric and Cloud). image*, uml*, init*, broker* and guest* bring a kernel that can
// carry it: an image of Debian packages, User-Mode Linux, and a channel by which commands run in it (start at
// Guest.Boot). The second runs the first inside the guest by its command line, `ovnbgp lab up --native`.
package lab
