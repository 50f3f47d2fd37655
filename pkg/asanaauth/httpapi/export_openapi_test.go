package httpapi

func BackendRoutes() map[string][]string {
	all := map[string][]string{}
	for _, route := range backendRoutes() {
		for _, method := range route.methods {
			all[route.pattern] = append(all[route.pattern], method.name)
		}
	}
	return all
}
