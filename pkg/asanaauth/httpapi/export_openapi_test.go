package httpapi

// BackendRoutes returns the paths that NewBackend serves, and the methods of each path.
func BackendRoutes() map[string][]string {
	all := map[string][]string{}
	for _, route := range backendRoutes() {
		for _, method := range route.methods {
			all[route.pattern] = append(all[route.pattern], method.name)
		}
	}
	return all
}
