package local

var SiteFault = siteFault
