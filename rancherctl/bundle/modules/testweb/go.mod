module rancherctl.io/bundle/testweb

go 1.19
