package main

import "sharedbarrier/model"

func (f flags) writeGraphs(cfg model.Config) error { return nil }
