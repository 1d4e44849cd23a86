"""What homes pay: bills, statements, costs in every grouping, comparisons, projections, invoices."""
