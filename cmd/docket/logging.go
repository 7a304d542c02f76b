package main

import (
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger writes to standard error. Standard output is for results.
func (c *config) logger() (*zap.Logger, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	level, err := zapcore.ParseLevel(c.logLevel)
	if err != nil {
		return nil, usageError{fmt.Errorf("--log-level: %w", err)}
	}
	format := c.logFormat
	if format == "auto" {
		format = "json"
		if isTerminal(os.Stderr) {
			format = "console"
		}
	}
	var zapConfig zap.Config
	switch format {
	case "json":
		zapConfig = zap.NewProductionConfig()
		zapConfig.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
		zapConfig.EncoderConfig.TimeKey = "time"
	case "console":
		zapConfig = zap.NewDevelopmentConfig()
		zapConfig.EncoderConfig.EncodeLevel = zapcore.CapitalColorLevelEncoder
		zapConfig.EncoderConfig.EncodeTime = zapcore.TimeEncoderOfLayout(time.TimeOnly)
		zapConfig.DisableCaller = true
	default:
		return nil, usageError{fmt.Errorf("--log-format: %q is none of json, console, auto", c.logFormat)}
	}
	zapConfig.Level = zap.NewAtomicLevelAt(level)
	zapConfig.Sampling = nil // every request is logged
	zapConfig.DisableStacktrace = true
	return zapConfig.Build()
}

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }
