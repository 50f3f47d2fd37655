package httpapi

// BackendPatterns returns the paths that NewBackend serves.
func BackendPatterns() (patterns []string) {
	for _, route := range backendRoutes() {
		patterns = append(patterns, route.pattern)
	}
	return patterns
}
