"""What scaling does to flops, params and acts."""
