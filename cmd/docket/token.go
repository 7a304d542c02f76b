package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"docket/internal/auth"
)

func tokenCommand(cfg *config) *cobra.Command {
	var (
		user        userID
		admin       bool
		permissions []string
		ttl         time.Duration
	)
	cmd := &cobra.Command{
		Use:   "token --user ID",
		Short: "Print a bearer token",
		Long: `Print a bearer token signed with the key in ` + secretKeyVariable + `, or with the one that Docket made in --data-dir.
Anyone who has the key can make a token for any user: keep it secret.

The token is that of an ordinary account: it can annotate, submit URLs and read contributions. With --admin it has the
permission ` + string(auth.AccessSourceCollector) + `, which all other operations need.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("user") {
				return usageError{errors.New("--user is missing: the ID of the user of the token")}
			}
			granted, err := knownPermissions(permissions)
			if err != nil {
				return err
			}
			if admin && !slices.Contains(granted, auth.AccessSourceCollector) {
				granted = append(granted, auth.AccessSourceCollector)
			}
			if ttl < 0 {
				return usageError{errors.New("--ttl must not be negative")}
			}
			if err := cfg.check(); err != nil {
				return err
			}
			if _, err := os.Stat(cfg.keyFile()); os.Getenv(secretKeyVariable) == "" && cfg.databaseURL == "" && err != nil {
				return fmt.Errorf("there is no key in %s: start docket serve first, or name its --data-dir", cfg.dataDir)
			}
			key, err := cfg.secretKey()
			if err != nil {
				return err
			}
			token, err := auth.Issue(key, int32(user), granted, ttl, time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		},
	}
	cmd.Flags().Var(&user, "user", "`ID` of the user")
	cmd.Flags().BoolVar(&admin, "admin", false, "grant "+string(auth.AccessSourceCollector)+", as administrators have it")
	cmd.Flags().StringSliceVar(&permissions, "permission", nil, "grant this permission, such as "+string(auth.Robot)+"; may be repeated")
	cmd.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long the token is valid; 0 means permanently")
	return cmd
}

// userID is a flag with the id of a user; 0 while it is not set.
type userID int32

func (u *userID) Set(text string) error {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 1 {
		return fmt.Errorf("the ID of a user is a whole number from 1 to %d", math.MaxInt32)
	}
	*u = userID(id)
	return nil
}

func (u *userID) String() string {
	if *u == 0 {
		return ""
	}
	return strconv.Itoa(int(*u))
}

func (*userID) Type() string { return "user" }

func permissionNames() string {
	var names []string
	for _, permission := range auth.Permissions() {
		names = append(names, string(permission))
	}
	return strings.Join(names, ", ")
}

func knownPermissions(names []string) ([]auth.Permission, error) {
	var granted []auth.Permission
	for _, name := range names {
		permission := auth.Permission(name)
		if !slices.Contains(auth.Permissions(), permission) {
			return nil, usageError{fmt.Errorf("--permission: %q is none of %s", name, permissionNames())}
		}
		granted = append(granted, permission)
	}
	return granted, nil
}
