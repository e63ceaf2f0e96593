"""Plans: typed answers, assembled from the engine's results and studied for how sure they are."""
