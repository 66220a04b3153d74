"""Networks x codecs x {weights, activations}: sizes with everything counted, beside the published ones."""
