package protocol

// callNames are the calls as logs and metrics name them: a closed set.
var callNames = [CallCount]string{
	CallNone:             "none",
	CallQuote:            "quote",
	CallAuthorize:        "authorize",
	CallGetAuthorization: "get_authorization",
	CallAmend:            "amend",
	CallConfirm:          "confirm",
	CallVoid:             "void",
	CallReverse:          "reverse",
	CallAccrue:           "accrue",
	CallRedeem:           "redeem",
	CallReturn:           "return",
	CallCreateMember:     "create_member",
	CallGetMember:        "get_member",
	CallPatchMember:      "patch_member",
	CallDeleteMember:     "delete_member",
	CallLookupMember:     "lookup_member",
	CallBalance:          "balance",
	CallOperations:       "operations",
	CallIssueCode:        "issue_code",
	CallMemberEvent:      "member_event",
	CallSetTier:          "set_tier",
	CallMerge:            "merge",
	CallReferral:         "referral",
	CallAdjust:           "adjust",
	CallAddCard:          "add_card",
	CallPatchCard:        "patch_card",
	CallReplaceCard:      "replace_card",
	CallCloseShift:       "close_shift",
	CallListParked:       "list_parked",
	CallResolveParked:    "resolve_parked",
	CallGetProgram:       "get_program",
	CallPutProgram:       "put_program",
	CallCheckProgram:     "check_program",
	CallProgramVersions:  "program_versions",
	CallProgramDiff:      "program_diff",
	CallRestoreProgram:   "restore_program",
	CallPutProducts:      "put_products",
	CallPutStores:        "put_stores",
	CallPutCashiers:      "put_cashiers",
	CallPutTemplates:     "put_card_templates",
	CallListProducts:     "list_products",
	CallListStores:       "list_stores",
	CallListCashiers:     "list_cashiers",
	CallListTemplates:    "list_card_templates",
	CallCardBatch:        "card_batch",
	CallCoupons:          "coupons",
	CallExport:           "export",
	CallEcho:             "echo",
	CallUnknown:          "unknown",
	CallHealth:           "health",
	CallReady:            "ready",
	CallMetrics:          "metrics",
	CallOpenAPI:          "openapi",
	CallProgramSchema:    "program_schema",
	CallWhatIf:           "what_if",
}

// String is the call's name in logs and metrics.
func (c Call) String() string {
	if c < CallCount && callNames[c] != "" {
		return callNames[c]
	}
	return callNames[CallUnknown]
}
